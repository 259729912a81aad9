"""The push service: messages that network servers send by themselves, to disk before they are acknowledged."""
