"""What ends the push service; by itself, so that naming it imports no MQTT and no HTTP."""


class ListenerFailed(Exception):
    """The service cannot go on; one sentence."""
