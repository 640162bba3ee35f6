"""What all endpoints share: origins, bodies, limits of connections, problems, health and the page."""
