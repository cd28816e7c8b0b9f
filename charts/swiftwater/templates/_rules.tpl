{{- /* What is done in every namespace that is looked after. Server-side apply is patch, and create where nothing is. */ -}}
{{- define "swiftwater.rules" -}}
- apiGroups: [kafka.swiftwater.dev]
  resources: [regions, kafkaclusters, kafkatopics, kafkamirrors]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [kafka.swiftwater.dev]
  resources: [regions/status, kafkaclusters/status, kafkatopics/status, kafkamirrors/status]
  verbs: [update]
- apiGroups: [""]
  resources: [services, configmaps, serviceaccounts, persistentvolumeclaims]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [multicluster.x-k8s.io]
  resources: [serviceexports]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- /* What is done in the operator's own namespace besides. */ -}}
{{- define "swiftwater.ownRules" -}}
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [swiftwater-member]
  verbs: [get]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [swiftwater-operator]
  verbs: [get, update]
{{- end }}

{{- /* Kubeconfigs of other members, each by its name. Without names there is no rule: an empty list would mean all. */ -}}
{{- define "swiftwater.secretRules" -}}
{{- if .Values.kubeconfigSecrets }}
- apiGroups: [""]
  resources: [secrets]
  resourceNames:
  {{- range .Values.kubeconfigSecrets }}
  - {{ . | quote }}
  {{- end }}
  verbs: [list, watch]
{{- end }}
{{- end }}

{{- define "swiftwater.clusterRules" -}}
{{- if .Values.rbac.nodes }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
{{- end }}
{{- if .Values.allNamespaces }}
{{ include "swiftwater.rules" . }}
{{- end }}
{{- end }}
