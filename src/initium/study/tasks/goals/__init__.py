"""What is learned: classes, boxes, masks."""
