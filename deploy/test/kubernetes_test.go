package deploy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// cluster is what the files of Kubernetes say, each by its name.
type cluster struct {
	pods     map[string]*corev1.PodTemplateSpec // by the name of what makes them
	services map[string]*corev1.Service
	budgets  map[string]*policyv1.PodDisruptionBudget
	policies map[string]*networkingv1.NetworkPolicy
	sets     map[string]*appsv1.StatefulSet
	deploys  map[string]*appsv1.Deployment
	jobs     map[string]*batchv1.CronJob
}

type kustomization struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Namespace  string   `json:"namespace"`
	Resources  []string `json:"resources"`
	Images     []struct {
		Name   string `json:"name"`
		NewTag string `json:"newTag"`
	} `json:"images"`
}

const manifests = "../kubernetes"

func readKustomization(t *testing.T) kustomization {
	t.Helper()
	var k kustomization
	content, err := os.ReadFile(filepath.Join(manifests, "kustomization.yaml"))
	if err == nil {
		err = yaml.UnmarshalStrict(content, &k)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// readCluster reads the files, and refuses fields that Kubernetes does not know.
func readCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{
		pods:     map[string]*corev1.PodTemplateSpec{},
		services: map[string]*corev1.Service{},
		budgets:  map[string]*policyv1.PodDisruptionBudget{},
		policies: map[string]*networkingv1.NetworkPolicy{},
		sets:     map[string]*appsv1.StatefulSet{},
		deploys:  map[string]*appsv1.Deployment{},
		jobs:     map[string]*batchv1.CronJob{},
	}
	for _, name := range readKustomization(t).Resources {
		content, err := os.ReadFile(filepath.Join(manifests, name))
		if err != nil {
			t.Fatal(err)
		}
		documents := utilyaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(content)))
		buf := make([]byte, len(content)+1)
		for {
			n, err := documents.Read(buf)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			c.take(t, name, buf[:n])
		}
	}
	return c
}

func (c *cluster) take(t *testing.T, file string, document []byte) {
	t.Helper()
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	strict := func(into any) {
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			t.Errorf("%s: %s: %v", file, head.Kind, err)
		}
	}
	switch head.APIVersion + " " + head.Kind {
	case "v1 Namespace":
		strict(new(corev1.Namespace))
	case "v1 Service":
		s := new(corev1.Service)
		strict(s)
		c.services[s.Name] = s
	case "apps/v1 StatefulSet":
		s := new(appsv1.StatefulSet)
		strict(s)
		c.sets[s.Name], c.pods[s.Name] = s, &s.Spec.Template
	case "apps/v1 Deployment":
		d := new(appsv1.Deployment)
		strict(d)
		c.deploys[d.Name], c.pods[d.Name] = d, &d.Spec.Template
	case "batch/v1 CronJob":
		j := new(batchv1.CronJob)
		strict(j)
		c.jobs[j.Name], c.pods[j.Name] = j, &j.Spec.JobTemplate.Spec.Template
	case "policy/v1 PodDisruptionBudget":
		b := new(policyv1.PodDisruptionBudget)
		strict(b)
		c.budgets[b.Name] = b
	case "networking.k8s.io/v1 NetworkPolicy":
		p := new(networkingv1.NetworkPolicy)
		strict(p)
		c.policies[p.Name] = p
	default:
		t.Errorf("%s: nothing is known of %s %s", file, head.APIVersion, head.Kind)
	}
}

// containers are all of a pod.
func containers(p *corev1.PodTemplateSpec) []corev1.Container {
	return slices.Concat(p.Spec.InitContainers, p.Spec.Containers)
}

func TestKustomizationNamesAllFilesAndImages(t *testing.T) {
	k := readKustomization(t)
	files, err := filepath.Glob(filepath.Join(manifests, "*.yaml"))
	if err != nil || len(files) != len(k.Resources)+1 {
		t.Errorf("there are %v, and the kustomization names %v (%v)", files, k.Resources, err)
	}
	if k.APIVersion != "kustomize.config.k8s.io/v1beta1" || k.Kind != "Kustomization" || k.Namespace != "leadership" {
		t.Errorf("got %+v", k)
	}
	for name, pod := range readCluster(t).pods {
		for _, c := range containers(pod) {
			if strings.Contains(c.Image, ":") {
				continue
			}
			named := false
			for _, i := range k.Images {
				named = named || i.Name == c.Image && i.NewTag != ""
			}
			if !named {
				t.Errorf("%s: the kustomization does not say where image %q is from", name, c.Image)
			}
		}
	}
}

// What the restricted standard of pod security wants, and more.
func TestPodsHaveNoMoreRightsThanTheyNeed(t *testing.T) {
	for name, pod := range readCluster(t).pods {
		s := pod.Spec.SecurityContext
		if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || *s.RunAsUser == 0 ||
			s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: got %+v", name, s)
		}
		if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
			t.Errorf("%s has a token of Kubernetes", name)
		}
		if pod.Spec.EnableServiceLinks == nil || *pod.Spec.EnableServiceLinks {
			t.Errorf("%s: LEADERSHIP_PORT and the like get into its environment", name)
		}
		for _, c := range containers(pod) {
			s := c.SecurityContext
			if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
				s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
				s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
				t.Errorf("%s: %s: got %+v", name, c.Name, s)
			}
			if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s: %s: got %+v", name, c.Name, c.Resources)
			}
			checkReferences(t, name, pod, c)
		}
	}
}

// checkReferences checks that what a container refers to by name is there.
func checkReferences(t *testing.T, name string, pod *corev1.PodTemplateSpec, c corev1.Container) {
	t.Helper()
	for _, m := range c.VolumeMounts {
		found := slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		if name != "etcd" && !found {
			t.Errorf("%s: %s: there is no volume %s", name, c.Name, m.Name)
		}
	}
	for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if probe == nil {
			continue
		}
		port := intstr.FromString("")
		if probe.HTTPGet != nil {
			port = probe.HTTPGet.Port
		}
		if !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.StrVal }) {
			t.Errorf("%s: %s: a probe asks at %q", name, c.Name, port.String())
		}
	}
}

func TestSelectorsSelectThePodsThatTheyAreFor(t *testing.T) {
	c := readCluster(t)
	selects := func(what, name string, selector map[string]string, ports ...intstr.IntOrString) {
		pod := c.pods[name]
		if pod == nil || len(selector) == 0 || !labels.SelectorFromSet(selector).Matches(labels.Set(pod.Labels)) {
			t.Errorf("%s: no pod of %s is selected by %v", what, name, selector)
			return
		}
		for _, port := range ports {
			if !slices.ContainsFunc(containers(pod), func(c corev1.Container) bool {
				return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
					return p.Name == port.StrVal || p.ContainerPort == port.IntVal
				})
			}) {
				t.Errorf("%s: the pods of %s have no port %s", what, name, port.String())
			}
		}
	}
	for name, s := range c.services {
		for _, p := range s.Spec.Ports {
			target := p.TargetPort
			if target == (intstr.IntOrString{}) {
				target = intstr.FromInt32(p.Port)
			}
			selects("service", strings.TrimSuffix(name, "-leader"), s.Spec.Selector, target)
		}
	}
	for name, b := range c.budgets {
		selects("budget", name, b.Spec.Selector.MatchLabels)
		if d := c.deploys[name]; d != nil && *d.Spec.Replicas < 2 {
			t.Errorf("%s: a budget for one pod", name)
		}
	}
	for name, d := range c.deploys {
		selects("deployment", name, d.Spec.Selector.MatchLabels)
	}
	for name, s := range c.sets {
		selects("stateful set", name, s.Spec.Selector.MatchLabels)
		if c.services[s.Spec.ServiceName] == nil {
			t.Errorf("%s: there is no service %s", name, s.Spec.ServiceName)
		}
	}
	for name, p := range c.policies {
		if name == "deny" {
			continue
		}
		for _, rule := range p.Spec.Ingress {
			for _, port := range rule.Ports {
				selects("policy", name, p.Spec.PodSelector.MatchLabels, *port.Port)
			}
		}
	}
	// Those that ask etcd are let in there.
	for name, pod := range c.pods {
		uses := slices.ContainsFunc(containers(pod), func(c corev1.Container) bool {
			return slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "LEADERSHIP_STORE" })
		})
		if uses != (pod.Labels["leadership/store"] == "true") {
			t.Errorf("%s: it uses the store: %v; its labels are %v", name, uses, pod.Labels)
		}
	}
}

func TestContainersOfKubernetesRunWhatThereIs(t *testing.T) {
	c := readCluster(t)
	for name, pod := range c.pods {
		for _, c := range containers(pod) {
			if c.Image != "leadership" && c.Image != "leadership-busybox" {
				continue
			}
			if len(c.Command) > 0 {
				t.Errorf("%s: %s: it has a command of its own", name, c.Name)
			}
			var environ []string
			for _, e := range c.Env {
				environ = append(environ, e.Name+"="+e.Value)
			}
			accepted(t, c.Args, environ)
			for _, arg := range c.Args {
				if strings.Contains(arg, "$(") && !slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return strings.Contains(arg, "$("+e.Name+")") }) {
					t.Errorf("%s: %s: nobody sets what %q names", name, c.Name, arg)
				}
			}
		}
	}
}

// A pod that is killed before it has resigned costs a TTL.
func TestPodsHaveTimeToEndInOrder(t *testing.T) {
	for name, pod := range readCluster(t).pods {
		for _, c := range containers(pod) {
			needs := int64(0)
			if l := c.Lifecycle; l != nil {
				needs = l.PreStop.Sleep.Seconds
			}
			for _, arg := range c.Args {
				for _, flag := range []string{"--drain=", "--grace="} {
					if value, ok := strings.CutPrefix(arg, flag); ok {
						needs += seconds(t, value)
					}
				}
			}
			if pod.Spec.TerminationGracePeriodSeconds == nil || *pod.Spec.TerminationGracePeriodSeconds < needs+5 {
				t.Errorf("%s: %s takes %d s and a call of the store to end", name, c.Name, needs)
			}
		}
	}
}
