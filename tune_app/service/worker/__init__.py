"""Heavy work in a process of its own: figures, exports, reports and forecasts."""
