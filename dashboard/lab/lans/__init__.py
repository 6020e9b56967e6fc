"""The named LANs of private hosts: creates, follows and removes them for pages."""
