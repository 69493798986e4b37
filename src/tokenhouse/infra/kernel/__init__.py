"""Money, ids, periods, errors, strict JSON and plugins: small, pure, and free of the business."""
