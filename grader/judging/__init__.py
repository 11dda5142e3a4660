"""What an exercise is, the question put to an answer, the verdict on it. Pure: nothing here touches files or
processes."""
