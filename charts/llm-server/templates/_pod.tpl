{{- define "llm-server.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Arguments of llama-server, as JSON. It takes a value as an argument of its own, never behind an equals sign. */}}
{{- define "llm-server.arguments" -}}
{{- $model := include "llm-server.model" . | fromJson -}}
{{- $load := include "llm-server.load" . | fromJson -}}
{{- $arguments := list "--model" (include "llm-server.weights" .) "--alias" $model.name "--host" "127.0.0.1" "--port" "8081" -}}
{{- $arguments = concat $arguments (list "--parallel" (toString $load.slots) "--ctx-size" (mul $load.slots $load.context | toString)) -}}
{{- $arguments = concat $arguments (list "--metrics" "--no-slots" "--no-webui" "--cache-ram" (int64 .Values.server.cacheRamMiB | toString)) -}}
{{- if ne (include "llm-server.gpus" .) "0" }}
{{- $arguments = concat $arguments (list "--n-gpu-layers" (int64 .Values.server.gpuLayers | toString)) -}}
{{- end }}
{{- with .Values.server.threads }}
{{- $arguments = concat $arguments (list "--threads" (int64 . | toString)) -}}
{{- end }}
{{- concat $arguments .Values.server.extraArgs | toJson -}}
{{- end -}}

{{- define "llm-server.resources" -}}
{{- $memory := printf "%sMi" (include "llm-server.memoryMiB" .) -}}
{{- $requests := merge (dict) .Values.resources.requests (dict "cpu" "1" "memory" $memory) -}}
{{- $limits := merge (dict) .Values.resources.limits (dict "memory" $requests.memory) -}}
{{ dict "requests" $requests "limits" $limits | toYaml }}
{{- end -}}

{{- define "llm-server.podSpec" -}}
{{- $model := include "llm-server.model" . | fromJson -}}
{{- $server := ternary .Values.images.gpuServer .Values.images.server (ne (include "llm-server.gpus" .) "0") -}}
{{- $router := include "llm-server.image" .Values.images.router -}}
{{- $download := eq .Values.delivery.source "download" -}}
serviceAccountName: {{ include "llm-server.fullname" . }}
automountServiceAccountToken: false
{{- with .Values.images.pullSecrets }}
imagePullSecrets: {{ . | toJson }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ int64 .Values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.nodeSelector }}
nodeSelector: {{ . | toJson }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ . | toJson }}
{{- end }}
{{- if .Values.topologySpread }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "llm-server.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
initContainers:
  - name: weights
    image: {{ $router }}
    args:
      - models
      - fetch
      - --file={{ include "llm-server.weights" . }}
      - --sha256={{ $model.file.sha256 }}
      - --size={{ int64 $model.file.sizeBytes }}
      {{- if $download }}
      - --uri={{ $model.file.uri }}
      {{- end }}
    securityContext: {{- include "llm-server.security" . | nindent 6 }}
    resources:
      requests: {cpu: 100m, memory: 96Mi{{ if eq (include "llm-server.onDisk" .) "true" }}, ephemeral-storage: {{ include "llm-server.cacheSize" . }}{{ end }}}
      limits: {memory: 192Mi}
    volumeMounts:
      - {name: models, mountPath: /models{{ if not $download }}, readOnly: true{{ end }}}
  # Sidecars in Kubernetes' sense: they start before the gate and get SIGTERM only when it has ended.
  - name: llama
    restartPolicy: Always
    image: {{ include "llm-server.image" $server }}
    args: {{ include "llm-server.arguments" . }}
    securityContext: {{- include "llm-server.security" . | nindent 6 }}
    resources: {{- include "llm-server.resources" . | nindent 6 }}
    # On loopback, where no probe from outside the pod arrives.
    startupProbe:
      exec: {command: [curl, -fsS, --max-time, "3", "http://127.0.0.1:8081/health"]}
      periodSeconds: 5
      timeoutSeconds: 5
      failureThreshold: {{ div (int64 .Values.server.startupSeconds) 5 }}
    readinessProbe:
      exec: {command: [curl, -fsS, --max-time, "3", "http://127.0.0.1:8081/health"]}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 2
    livenessProbe:
      exec: {command: [curl, -fsS, --max-time, "8", "http://127.0.0.1:8081/health"]}
      periodSeconds: 15
      timeoutSeconds: 10
      failureThreshold: 6
    volumeMounts:
      - {name: models, mountPath: /models, readOnly: true}
      - {name: scratch, mountPath: /tmp}
  {{- if .Values.exporter.enabled }}
  - name: exporter
    restartPolicy: Always
    image: {{ $router }}
    args: [exporter, --config, /etc/llm/exporter.yaml]
    securityContext: {{- include "llm-server.security" . | nindent 6 }}
    resources: {{- .Values.exporter.resources | toYaml | nindent 6 }}
    volumeMounts:
      - {name: config, mountPath: /etc/llm, readOnly: true}
      - {name: scratch, mountPath: /tmp}
  {{- end }}
containers:
  - name: gate
    image: {{ $router }}
    args: [gate, --config, /etc/llm/gate.yaml]
    env:
      {{- range $variable, $entry := dict "GATE_KEY_ID" "current-id" "GATE_KEY" "current" "GATE_NEXT_KEY_ID" "next-id" "GATE_NEXT_KEY" "next" }}
      - name: {{ $variable }}
        valueFrom: {secretKeyRef: {name: {{ $.Values.gate.keys.secretName }}, key: {{ $entry }}}}
      {{- end }}
      {{- with .Values.monitoring.token }}
      {{- if .secretName }}
      - name: METRICS_TOKEN
        valueFrom: {secretKeyRef: {name: {{ .secretName }}, key: {{ .key }}}}
      {{- end }}
      {{- end }}
      {{- with .Values.gate.replay.redis }}
      {{- if .secretName }}
      - name: GATE_REPLAY_URL
        valueFrom: {secretKeyRef: {name: {{ .secretName }}, key: {{ .key }}}}
      {{- end }}
      {{- end }}
    ports:
      - {name: gate, containerPort: 8443}
      - {name: gate-metrics, containerPort: 9092}
    securityContext: {{- include "llm-server.security" . | nindent 6 }}
    resources: {{- .Values.gate.resources | toYaml | nindent 6 }}
    readinessProbe:
      httpGet: {path: /readyz, port: gate-metrics}
      periodSeconds: 5
      failureThreshold: 2
    livenessProbe:
      httpGet: {path: /livez, port: gate-metrics}
      periodSeconds: 10
      failureThreshold: 3
    lifecycle:
      preStop: {sleep: {seconds: {{ int64 .Values.drain.endpointSeconds }}}}
    volumeMounts:
      - {name: config, mountPath: /etc/llm, readOnly: true}
      - {name: scratch, mountPath: /tmp}
      {{- if .Values.gate.tls.enabled }}
      - {name: tls, mountPath: /etc/llm-tls, readOnly: true}
      {{- end }}
volumes:
  - name: config
    configMap: {name: {{ include "llm-server.fullname" . }}}
  - name: scratch
    emptyDir: {sizeLimit: 256Mi}
  {{- if .Values.gate.tls.enabled }}
  - name: tls
    secret: {secretName: {{ include "llm-server.tlsSecret" . }}}
  {{- end }}
  {{- include "llm-server.modelVolume" . | nindent 2 }}
{{- end -}}

{{/* The volume with the weights; of a StatefulSet it is a claim template. */}}
{{- define "llm-server.modelVolume" -}}
{{- $delivery := .Values.delivery -}}
{{- if eq $delivery.source "image" -}}
- name: models
  image: {reference: {{ $delivery.image.reference | quote }}, pullPolicy: IfNotPresent}
{{- else if eq $delivery.source "claim" -}}
- name: models
  persistentVolumeClaim: {claimName: {{ $delivery.claim.name }}, readOnly: true}
{{- else if eq $delivery.cache.mode "shared" -}}
- name: models
  persistentVolumeClaim: {claimName: {{ $delivery.cache.existingClaim | default (printf "%s-models" (include "llm-server.fullname" .)) }}}
{{- else if eq $delivery.cache.mode "none" -}}
- name: models
  emptyDir: {sizeLimit: {{ include "llm-server.cacheSize" . }}}
{{- end -}}
{{- end -}}
