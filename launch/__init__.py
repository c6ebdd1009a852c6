"""The command line: one thin module a verb. Installed, this folder is `jaxssl.launch`."""
