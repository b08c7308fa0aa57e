"""`relabel`: the words of the contract, from the first labels to the exported ones."""

import json
import shutil

import numpy as np
import pytest
from relabel_study import by_formula, store_with_base
from study_files import shifted, study_folders, truth

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.files import read_labelmap, write_labelmap


@pytest.fixture
def the_words(a_home, tmp_path, monkeypatch):
    """Words of ``init`` for four cases and the base network; the trainer's stand-in trains."""
    store_with_base(a_home)
    monkeypatch.setattr("SegmentationAILib.networks.build.openvino_is_there", lambda: False)
    folders = study_folders(tmp_path, 4)
    from SegmentationAILib.learn.relabel import loop

    original = loop.Tools
    monkeypatch.setattr(loop, "Tools", lambda **named: original(train=by_formula, **named))
    return ["relabel", "init", str(tmp_path / "study"), "--images", str(folders["images"]),
            "--weak-labels", str(folders["weak"]), "--base", "thresholds"]  # fmt: skip


def status(tmp_path, capsys):
    capsys.readouterr()
    assert main(["relabel", "status", str(tmp_path / "study"), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_from_weak_labels_to_exported_ones(the_words, tmp_path, capsys):
    study = str(tmp_path / "study")
    assert main([*the_words, "--reference", str(tmp_path / "references")]) == 0
    assert "4 cases: 4 weak; 0 held out." in capsys.readouterr().out
    assert main(["relabel", "run", study, "--iterations", "2", "--epochs", "1"]) == 0
    out = capsys.readouterr().out
    assert "1 network, 1 epoch on 4 cases" in out
    assert "Iteration 2: " in out
    write_labelmap(shifted(truth(3), 2), tmp_path / "mine.nii.gz")
    words = ["relabel", "accept", study, "case 3", str(tmp_path / "mine.nii.gz"), "--seconds", "9"]
    assert main(words) == 0
    facts = status(tmp_path, capsys)
    assert [row["index"] for row in facts["iterations"]] == [1, 2]
    assert facts["iterations"][1]["mean_dice_to_reference"] > facts["weak_dice_to_reference"]
    case = next(row for row in facts["cases"] if row["id"] == "case 3")
    assert (case["state"], case["provenance"], case["seconds_spent"]) == ("accepted", "accepted", 9)
    assert main(["relabel", "export", study, "--output", str(tmp_path / "out")]) == 0
    found = read_labelmap(tmp_path / "out" / "case 3.nii.gz")
    np.testing.assert_array_equal(found.layers[0], shifted(truth(3), 2).layers[0])
    other = read_labelmap(tmp_path / "out" / "case 0.nii.gz").layers[0]
    assert (other == truth(0).layers[0]).mean() > 0.99


def test_first_labels_can_be_made_by_the_base_network(the_words, tmp_path, capsys):
    at = the_words.index("--weak-labels")
    words = [*the_words[:at], *the_words[at + 2 :], "--weak-method", "network", "--device", "cpu"]
    assert main(words) == 0
    assert "4 cases: 4 weak; 0 held out." in capsys.readouterr().out
    case = status(tmp_path, capsys)["cases"][0]
    assert (case["state"], case["provenance"], case["who"]) == ("weak", "weak", "network")
    with pytest.raises(SystemExit) as ended:
        main([*the_words, "--weak-method", "otsu"])
    assert ended.value.code == 2


def test_rolling_back_brings_the_weak_labels_back(the_words, tmp_path, capsys):
    study = str(tmp_path / "study")
    main(the_words)
    main(["relabel", "run", study, "--iterations", "1", "--epochs", "1"])
    assert main(["relabel", "rollback", study, "0"]) == 0
    assert {row["state"] for row in status(tmp_path, capsys)["cases"]} == {"weak"}
    assert main(["relabel", "rollback", study, "7"]) == 2
    assert "there are: 0" in capsys.readouterr().err


def test_skipping_and_reopening(the_words, tmp_path, capsys):
    study = str(tmp_path / "study")
    main(the_words)
    assert main(["relabel", "skip", study, "case 1"]) == 0
    assert main(["relabel", "export", study, "--output", str(tmp_path / "out")]) == 0
    assert "case 1: left out. It was skipped." in capsys.readouterr().out
    assert main(["relabel", "reopen", study, "case 1"]) == 0
    assert {row["state"] for row in status(tmp_path, capsys)["cases"]} == {"weak"}


def test_the_volumes_can_be_moved_and_nobody_is_blamed_meanwhile(the_words, tmp_path, capsys):
    study = str(tmp_path / "study")
    main(the_words)
    shutil.move(tmp_path / "images", tmp_path / "elsewhere")
    assert main(["relabel", "run", study, "--iterations", "1", "--epochs", "1"]) == 2
    assert "The folder images with the volumes" in capsys.readouterr().err
    assert {row["state"] for row in status(tmp_path, capsys)["cases"]} == {"weak"}
    assert main(["relabel", "images", study, str(tmp_path / "weak" / "none")]) == 2
    capsys.readouterr()
    assert main(["relabel", "images", study, str(tmp_path / "weak")]) == 2
    assert "is not the volume that the study was made with" in capsys.readouterr().err
    assert main(["relabel", "images", study, str(tmp_path / "elsewhere")]) == 0
    assert main(["relabel", "run", study, "--iterations", "1", "--epochs", "1"]) == 0
    assert {row["state"] for row in status(tmp_path, capsys)["cases"]} == {"predicted"}


def test_the_export_for_training_is_a_data_set_of_volumes_and_labels(the_words, tmp_path, capsys):
    from SegmentationAILib.learn.case_reader import read_case
    from SegmentationAILib.learn.dataset import read_dataset

    main(the_words)
    words = ["relabel", "export", str(tmp_path / "study"), "--output", str(tmp_path / "Task01")]
    assert main([*words, "--format", "decathlon"]) == 0
    dataset = read_dataset(tmp_path / "Task01" / "dataset.json")
    assert [case.id for case in dataset.cases] == [f"case_{n}" for n in range(4)]
    assert [label.name for label in dataset.labels] == ["Head", "Tail"]
    case = read_case(dataset, dataset.cases[2])
    np.testing.assert_array_equal(case.labelmap.layers[0], shifted(truth(2)).layers[0])


def test_what_is_wrong_is_one_sentence_and_changes_nothing(the_words, tmp_path, capsys):
    assert main([*the_words[:-1], "nowhere"]) == 2
    assert "no network nowhere" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()
    assert main(["relabel", "status", str(tmp_path / "images")]) == 2
    assert "is not a study" in capsys.readouterr().err
    main(the_words)
    for words, sentence in (
        (["accept", "case 9", "x.nii.gz"], "no case case 9"),
        (["accept", "case 1", str(tmp_path / "images" / "case 2.nii.gz")], "error: "),
    ):
        capsys.readouterr()
        assert main(["relabel", words[0], str(tmp_path / "study"), *words[1:]]) == 2
        assert sentence in capsys.readouterr().err
    assert {row["versions"] for row in status(tmp_path, capsys)["cases"]} == {1}


def test_a_study_that_was_moved_is_opened_where_it_is(the_words, tmp_path, capsys):
    main(the_words)
    shutil.move(tmp_path / "study", tmp_path / "moved")
    assert main(["relabel", "status", str(tmp_path / "moved"), "--json"]) == 0


def test_labels_that_are_right_are_accepted_as_they_are_and_then_locked(
    the_words, tmp_path, capsys
):
    study = str(tmp_path / "study")
    main(the_words)
    assert main(["relabel", "accept", study, "case 2", "--by", "Anna"]) == 0
    assert "case 2: accepted as it is, version 2." in capsys.readouterr().out
    weak, other = (str(tmp_path / name / "case 2.nii.gz") for name in ("weak", "references"))
    for words in (["accept", "case 2", other], ["correct", "case 2", weak]):
        assert main(["relabel", words[0], study, *words[1:]]) == 2
        assert "reopen it" in capsys.readouterr().err
    # The same once more, such as after a kill, is no other version.
    for words in (["accept", "case 2"], ["accept", "case 2", weak]):
        assert main(["relabel", words[0], study, *words[1:]]) == 0
        assert "version 2" in capsys.readouterr().out
    (row,) = (row for row in status(tmp_path, capsys)["cases"] if row["id"] == "case 2")
    assert (row["state"], row["who"], row["versions"]) == ("accepted", "Anna", 2)


def test_the_status_in_words_names_held_out_cases_and_each_verdict(the_words, tmp_path, capsys):
    main([*the_words, "--hold-out", "0.25"])
    told = capsys.readouterr().out
    held_out = told.split("Held out: ")[1].split(".")[0]
    study = str(tmp_path / "study")
    assert main(["relabel", "run", study, "--iterations", "1", "--epochs", "1"]) == 0
    capsys.readouterr()
    assert main(["relabel", "status", study]) == 0
    told = capsys.readouterr().out
    assert f"held out: {held_out}\n" in told
    (row,) = status(tmp_path, capsys)["iterations"]
    assert row["verdict"] in told
