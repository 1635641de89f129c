"""The objects in the bodies of requests and answers, for checking and for OpenAPI."""
