package sqlite_test

const (
	childRole = "LEADERSHIP_SQLITE_ROLE"
	childPath = "LEADERSHIP_SQLITE_PATH"
)

func beChild(role, path string) {}
