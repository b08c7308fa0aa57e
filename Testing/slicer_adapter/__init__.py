"""What the panel needs of the Slicer application, on PySide6 and the real MRML classes.

For tests only. It offers the modules ``qt`` and ``ctk``, the node widgets of ``slicer``, and small
stand-ins for ``slicer.ScriptedLoadableModule``, ``slicer.parameterNodeWrapper`` and
``slicer.i18n``, all as strict as PythonQt is. Set ``SLICER_BASE_PYTHON`` to the folder
``Base/Python`` of a Slicer source tree to run the same tests on Slicer's own versions of these
Python files.

What it does not check: real CTK painting, the real node selector's menus, the layout manager,
module discovery, and Segment Editor effects.
"""
