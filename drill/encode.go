package drill

import (
	"encoding/json"
	"fmt"
)

// encode writes what AWS shows or takes, which always can be written.
func encode(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("writing %v: %v", value, err))
	}
	return string(encoded)
}
