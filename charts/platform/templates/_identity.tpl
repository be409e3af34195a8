{{/* Annotations that tie a service account to an identity of the cloud; (list root identity) */}}
{{- define "platform.identity" -}}
{{- $root := index . 0 -}}
{{- $identity := index . 1 -}}
{{- $keys := dict "gcp" "iam.gke.io/gcp-service-account" "azure" "azure.workload.identity/client-id" -}}
{{- if and $identity (hasKey $keys $root.Values.cloud) -}}
{{ dict (index $keys $root.Values.cloud) $identity | toJson }}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{- define "platform.identityLabels" -}}
{{ ternary (dict "azure.workload.identity/use" "true") (dict) (eq .Values.cloud "azure") | toJson }}
{{- end -}}
