// Reads pairs of kubeconfig texts and says for each what client-go finds different, entries of one name left aside.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

func without(text, name string) (*api.Config, error) {
	config, err := clientcmd.Load([]byte(text))
	if err != nil {
		return nil, err
	}
	delete(config.Clusters, name)
	delete(config.AuthInfos, name)
	delete(config.Contexts, name)
	config.CurrentContext = ""
	return config, nil
}

func main() {
	var pairs []struct{ Old, New, Name string }
	if err := json.NewDecoder(os.Stdin).Decode(&pairs); err != nil {
		panic(err)
	}
	for _, pair := range pairs {
		before, err := without(pair.Old, pair.Name)
		after, failed := without(pair.New, pair.Name)
		switch {
		case err != nil:
			fmt.Println("old:", err)
		case failed != nil:
			fmt.Println("new:", failed)
		case !reflect.DeepEqual(before, after):
			fmt.Println("differs")
		default:
			fmt.Println("equal")
		}
	}
}
