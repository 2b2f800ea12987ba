"""What a move remembers: the tables of schema `ops` and the documents of the state folder.

Each table and document has one reader and one writer, here or (where its rows are made by a set
statement) in the room that fills it.
"""
