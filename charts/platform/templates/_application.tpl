{{/* One Application: (dict "root" $ "name" … "wave" … "source" (dict …) "namespace" …) */}}
{{- define "platform.application" -}}
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  annotations:
    argocd.argoproj.io/sync-wave: {{ .wave | quote }}
    argocd.argoproj.io/compare-options: ServerSideDiff=true
  finalizers: [resources-finalizer.argocd.argoproj.io]
spec:
  project: platform
  destination: {server: "https://kubernetes.default.svc", namespace: {{ .namespace | default .root.Values.namespace }}}
  source: {{- .source | toYaml | nindent 4 }}
  syncPolicy:
    automated: {prune: true, selfHeal: true}
    # Server-side: some definitions are larger than what a client may note down of them.
    syncOptions: [ServerSideApply=true, SkipDryRunOnMissingResource=true]
    retry: {limit: 10, backoff: {duration: 10s, factor: 2, maxDuration: 5m}}
{{- end -}}

{{- define "platform.chart" -}}
{{ dict "repoURL" .repo "chart" .chart "targetRevision" .version "helm" (dict "releaseName" .release "valuesObject" .values) | toJson }}
{{- end -}}

{{- define "platform.component" }}
---
{{ include "platform.application" (dict "root" .root "name" .name "wave" .wave "namespace" .namespace "source" (include "platform.chart" . | fromJson)) }}
{{- end }}
