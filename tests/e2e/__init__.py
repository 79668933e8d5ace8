"""The appliance on loopback with real clients and real peers."""
