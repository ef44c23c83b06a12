"""Plain data and rules that clients and servers share. Imports nothing but `errors`."""
