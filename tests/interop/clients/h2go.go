// Go's net/http over HTTP/2. `h2go PORT PKI FILE COUNT`: see README.md here.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

var client http.Client
var base string
var failed = false
var printing sync.Mutex

func ask(name, method, path string, body io.Reader, length int64, trailer bool) {
	request, err := http.NewRequest(method, base+path, body)
	if err == nil {
		request.ContentLength = length
		if trailer {
			request.Trailer = http.Header{"X-After": {"the body"}}
		}
		var response *http.Response
		if response, err = client.Do(request); err == nil {
			var got []byte
			got, err = io.ReadAll(response.Body)
			response.Body.Close()
			printing.Lock()
			fmt.Printf("%s\t%d\t%d\t%s\n", name, response.ProtoMajor, response.StatusCode, hex.EncodeToString(got))
			printing.Unlock()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, name, err)
		failed = true
	}
}

func main() {
	port, pki, file := os.Args[1], os.Args[2], os.Args[3]
	count := 0
	fmt.Sscan(os.Args[4], &count)
	base = "https://localhost:" + port
	roots := x509.NewCertPool()
	ca, _ := os.ReadFile(filepath.Join(pki, "ca.pem"))
	roots.AppendCertsFromPEM(ca)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+port)
	}
	client.Transport = &http.Transport{ForceAttemptHTTP2: true, DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: roots}}
	whole, _ := os.ReadFile(file)
	ask("get", "GET", "/get", nil, 0, false)
	ask("head", "HEAD", "/head", nil, 0, false)
	ask("put", "PUT", "/put", bytes.NewReader(whole), int64(len(whole)), false)
	ask("stream", "PUT", "/stream", bytes.NewReader(whole), -1, false)
	ask("trailers", "PUT", "/trailers", bytes.NewReader(make([]byte, 1000)), -1, true)
	var all sync.WaitGroup
	for n := 0; n < count; n++ {
		all.Add(1)
		go func(n int) {
			defer all.Done()
			ask("many", "PUT", fmt.Sprintf("/many?%d", n), bytes.NewReader(make([]byte, 1000)), 1000, false)
		}(n)
	}
	all.Wait()
	if failed {
		os.Exit(1)
	}
}
