"""The part of the panel's stand-in that has no study open, and opens none."""


class NoStudy:
    """Says that there is no study; what a study does is tested with a real one."""

    def watch_study(self, on_change, on_refused):
        self.on_study = on_change

    def refused_edits(self):
        return ""

    def study(self):
        return None

    def open_case_id(self):
        return ""

    def case_nodes(self):
        return None, None

    def set_reader(self, name):
        self.reader = name

    def show_case_origin(self, is_shown):
        self.shows_origin = is_shown

    def is_study_busy(self):
        return False

    def is_proposing(self):
        return False

    def is_making_study(self):
        return False
