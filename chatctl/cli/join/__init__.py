"""`chatctl join`: the room for people, full-screen. Nothing else of chatctl imports Textual."""
