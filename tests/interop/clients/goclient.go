// Go's net/http. KIND is "renegotiate" (tls.RenegotiateOnceAsClient) or "default". See README.md here.
package main

import (
	"bufio"
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
	"strings"
	"time"
)

type job struct{ id, url, file, tls, framing, expect string }

func settings(kind, pki, version string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(pki, "client.pem"), filepath.Join(pki, "client.key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(pki, "ca.pem"))
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(ca)
	if kind == "renegotiate" {
		config.Renegotiation = tls.RenegotiateOnceAsClient
	}
	switch version {
	case "1.2":
		config.MaxVersion = tls.VersionTLS12
	case "1.3":
		config.MinVersion = tls.VersionTLS13
	}
	return config, nil
}

// handshake.localhost stands for 127.0.0.1 whatever the resolver says.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	if rest := strings.TrimPrefix(address, "handshake.localhost:"); rest != address {
		address = "127.0.0.1:" + rest
	}
	return dialer.DialContext(ctx, network, address)
}

func put(kind, pki string, j job) (int, []byte, error) {
	config, err := settings(kind, pki, j.tls)
	if err != nil {
		return 0, nil, err
	}
	transport := &http.Transport{
		TLSClientConfig: config, DialContext: dial, DisableKeepAlives: true,
		ExpectContinueTimeout: time.Hour, // strict: no body before the 100
	}
	file, err := os.Open(j.file)
	if err != nil {
		return 0, nil, err
	}
	defer file.Close()
	request, err := http.NewRequest(http.MethodPut, j.url, file)
	if err != nil {
		return 0, nil, err
	}
	if j.framing == "chunked" {
		request.ContentLength = -1
	} else {
		info, err := file.Stat()
		if err != nil {
			return 0, nil, err
		}
		request.ContentLength = info.Size()
	}
	if j.expect == "expect" {
		request.Header.Set("Expect", "100-continue")
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func main() {
	list, err := os.Open(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		j := job{f[0], f[1], f[2], f[3], f[4], f[5]}
		status, body, err := put(os.Args[1], os.Args[3], j)
		words := ""
		if err != nil {
			words = strings.NewReplacer("\t", " ", "\n", " ").Replace(err.Error())
			status, body = 0, nil
		}
		fmt.Printf("%s\t%d\t%s\t%s\n", j.id, status, hex.EncodeToString(body), words)
	}
}
