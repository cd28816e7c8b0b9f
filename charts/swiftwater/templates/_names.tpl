{{- define "swiftwater.name" -}}
{{ printf "%s-operator" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "swiftwater.account" -}}
{{ .Values.serviceAccount.name | default (include "swiftwater.name" .) }}
{{- end }}

{{- define "swiftwater.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "swiftwater.selector" -}}
app.kubernetes.io/name: swiftwater-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "swiftwater.labels" -}}
{{ include "swiftwater.selector" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: swiftwater
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}
