"""Plain data and rules that clients and servers share. Imports only `errors`."""
