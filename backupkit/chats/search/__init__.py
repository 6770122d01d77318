"""Finding messages by their words: what is indexed of a text, and what a question asks for. Pure; files are made elsewhere."""
