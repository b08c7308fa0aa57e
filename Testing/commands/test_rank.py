"""`rank`: the words of the contract."""

import json

import pytest
from relabel_study import BASE, store_with_base
from study_files import study_folders, study_source, truth

from SegmentationAILib.__main__ import main
from SegmentationAILib.commands.rank import STRATEGIES
from SegmentationAILib.learn.active import strategies
from SegmentationAILib.learn.study.create import create_study
from SegmentationAILib.learn.study.person import Work, accept


@pytest.fixture
def study(a_home, tmp_path, monkeypatch):
    monkeypatch.setattr("SegmentationAILib.networks.build.openvino_is_there", lambda: False)
    store = store_with_base(a_home)
    sha256 = store.find(BASE).card.sha256
    source = study_source(study_folders(tmp_path, 4), base=BASE, base_sha256=sha256)
    made = create_study(tmp_path / "study", source)
    accept(made, "case 0", truth(0), Work("me"), made.case("case 0").current)
    return made


def test_json_names_the_cases_the_most_wanted_first(study, capsys):
    words = ["rank", str(study.folder), "--strategy", "entropy", "--budget", "2", "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["strategy"], found["labeled"], found["unlabeled"]) == ("entropy", 1, 3)
    wishes = [row["wish"] for row in found["cases"]]
    assert len(wishes) == 2
    assert wishes == sorted(wishes, reverse=True)


def test_people_get_a_numbered_list(study, capsys):
    assert main(["rank", str(study.folder), "--strategy", "core-set", "--budget", "9"]) == 0
    out = capsys.readouterr().out
    assert "By core-set, of 3 cases beside 1 labeled ones:" in out
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["1", "2", "3"]


def test_wrong_words_are_one_line(study, tmp_path, capsys):
    start = ["rank", str(study.folder), "--strategy"]
    for words, sentence in (
        (["entropy", "--budget", "0"], "at least 1"),
        (["entropy", "--budget", "1", "--auxiliary", str(tmp_path)], "only m-vaal"),
        (["best", "--budget", "1"], "invalid choice"),
    ):
        try:
            code = main([*start, *words])
        except SystemExit as exit_:
            code = exit_.code
        assert code == 2
        err = capsys.readouterr().err
        assert sentence in err
        assert err.startswith("error: ")


def test_the_words_are_the_strategies():
    assert STRATEGIES == strategies.STRATEGIES
