"""Heavy work in processes of their own: figures, exports, reports and forecasts."""
