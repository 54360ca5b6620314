"""The commands that the crash suite strikes, by subject. A new command is one more `Case` there.

`words` is what they are told in; `every` has them all.
"""
