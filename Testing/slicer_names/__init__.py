"""Which names of Slicer, Qt and ctk the modules use, held against a list of those that Slicer has.

``names.txt`` is the list; ``make_list.py`` writes it from public sources, ``checking.py`` compares.
"""
