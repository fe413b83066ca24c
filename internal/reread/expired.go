package reread

import (
	"crypto/tls"
	"fmt"
	"time"
)

// Expired returns an error if the certificate in config has expired: no server takes
// it any more. Without a certificate, or a config, it returns nil.
func Expired(config *tls.Config) error {
	if config == nil || len(config.Certificates) == 0 || config.Certificates[0].Leaf == nil {
		return nil
	}
	if end := config.Certificates[0].Leaf.NotAfter; time.Now().After(end) {
		return fmt.Errorf("the certificate has expired, on %v", end.UTC().Format(time.DateTime))
	}
	return nil
}
