{{- define "exporters.fullname" -}}
{{- if contains "exporter" .Release.Name }}{{ .Release.Name | trunc 30 | trimSuffix "-" }}{{ else }}{{ printf "%s-exporter" .Release.Name | trunc 30 | trimSuffix "-" }}{{ end -}}
{{- end -}}

{{- define "exporters.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "exporters.labels" -}}
{{ include "exporters.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "exporters.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* exporter.yaml of one pool; (list root pool) */}}
{{- define "exporters.file" -}}
{{- $root := index . 0 -}}
{{- $pool := index . 1 -}}
pool: {{ $pool.name | quote }}
listen: 127.0.0.1:9402
metrics: 0.0.0.0:9400
{{- if $root.Values.monitoring.token.secretName }}
metricsToken: "${METRICS_TOKEN}"
{{- end }}
status:
  listen: 0.0.0.0:8444
  authority: {{ $pool.host }}
  keys:
    - {id: "${GATE_KEY_ID}", secret: "${GATE_KEY}"}
    - {id: "${GATE_NEXT_KEY_ID}", secret: "${GATE_NEXT_KEY}"}
kubernetes:
  service: {{ $pool.service }}
  port: gate
  gate: {id: "${GATE_KEY_ID}", secret: "${GATE_KEY}", authority: {{ $pool.host }}}
  {{- with $pool.nodeSelector }}
  nodeSelector: {{ . }}
  {{- end }}
overheadFactor: {{ $root.Values.overheadFactor }}
window: {{ $root.Values.window }}
interval: {{ $root.Values.interval }}
price: {{- $pool.price | toYaml | nindent 2 }}
{{- end -}}
