"""Around the core: UART, link endpoint, board top."""
