{{/* Names and labels. */}}
{{- define "llm-server.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "llm-server.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "llm-server.labels" -}}
{{ include "llm-server.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
llm-platform/pool-name: {{ .Values.pool.name | quote }}
{{- end -}}

{{- define "llm-server.image" -}}
{{ .repository }}{{ with .tag }}:{{ . }}{{ end }}@{{ .digest }}
{{- end -}}

{{/* A StatefulSet keeps each pod's volume; everything else is a Deployment. */}}
{{- define "llm-server.kind" -}}
{{- if and (eq .Values.delivery.source "download") (eq .Values.delivery.cache.mode "perReplica") -}}
StatefulSet
{{- else -}}
Deployment
{{- end -}}
{{- end -}}

{{- define "llm-server.gpus" -}}
{{ int64 (index .Values.resources.limits "nvidia.com/gpu" | default 0) }}
{{- end -}}

{{/* The most replicas that there may be. */}}
{{- define "llm-server.most" -}}
{{- $scaling := .Values.autoscaling -}}
{{- if eq $scaling.mode "hpa" }}{{ int64 $scaling.hpa.maxReplicas -}}
{{- else if eq $scaling.mode "keda" }}{{ int64 $scaling.keda.maxReplicas -}}
{{- else }}{{ int64 .Values.replicas }}{{ end -}}
{{- end -}}

{{/* The fewest replicas that there may be. */}}
{{- define "llm-server.fewest" -}}
{{- $scaling := .Values.autoscaling -}}
{{- if eq $scaling.mode "hpa" }}{{ int64 $scaling.hpa.minReplicas -}}
{{- else if eq $scaling.mode "keda" }}{{ int64 $scaling.keda.minReplicas -}}
{{- else }}{{ int64 .Values.replicas }}{{ end -}}
{{- end -}}

{{- define "llm-server.tlsSecret" -}}
{{ .Values.gate.tls.secretName | default (printf "%s-tls" (include "llm-server.fullname" .)) }}
{{- end -}}
