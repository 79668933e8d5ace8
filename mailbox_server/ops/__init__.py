"""Running the appliance: administration, the control socket, quickstart, events."""
