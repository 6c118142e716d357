"""The Pipelines that the tasks of this folder work on; the tests make them in the emulators."""

SUCCESS, FAILURE, STRICT, LENIENT, RESYNC, HANDED_OVER = range(1, 7)
MARKED, CLEARED, MARKED_IN_WORKER, AFTER_POST, IN_POST = range(11, 16)
RESTART, CRASH = range(21, 23)
LATE, TOGETHER, LEFT, REFUSED, FROZEN = range(31, 36)
EVENT, OUTLET = range(41, 43)
MANY = range(101, 151)
