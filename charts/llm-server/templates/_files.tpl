{{/* The configuration files of gate and exporter, as entries of a ConfigMap. */}}
{{- define "llm-server.files" -}}
{{- $tls := .Values.gate.tls -}}
gate.yaml: |
  listen: 0.0.0.0:8443
  metrics: 0.0.0.0:9092
  {{- if .Values.monitoring.token.secretName }}
  metricsToken: "${METRICS_TOKEN}"
  {{- end }}
  upstream: http://127.0.0.1:8081
  target: {{ .Values.pool.name | quote }}
  authority: {{ .Values.host }}
  keys:
    - {id: "${GATE_KEY_ID}", secret: "${GATE_KEY}"}
    - {id: "${GATE_NEXT_KEY_ID}", secret: "${GATE_NEXT_KEY}"}
  {{- if .Values.gate.replay.redis.secretName }}
  replay: {backend: redis, url: "${GATE_REPLAY_URL}", private: {{ .Values.gate.replay.redis.private }}}
  {{- end }}
  maxBody: {{ .Values.gate.maxBody }}
  # Before it the endpoints are told, after it the server ends.
  drainTimeout: {{ sub (int64 .Values.terminationGracePeriodSeconds) (add 3 (int64 .Values.drain.endpointSeconds)) }}s
  {{- if .Values.exporter.enabled }}
  statusUrl: http://127.0.0.1:9402/cluster/status
  {{- end }}
  {{- if $tls.enabled }}
  tls:
    certFile: /etc/llm-tls/tls.crt
    keyFile: /etc/llm-tls/tls.key
    {{- if $tls.clientCertificates }}
    clientCaFile: /etc/llm-tls/ca.crt
    {{- end }}
  {{- end }}
{{- if .Values.exporter.enabled }}
exporter.yaml: |
  pool: {{ .Values.pool.name | quote }}
  listen: 127.0.0.1:9402
  upstreams: [{url: "http://127.0.0.1:8081"}]
  overheadFactor: {{ .Values.exporter.overheadFactor }}
  price: {{- .Values.exporter.price | toYaml | nindent 4 }}
{{- end }}
{{- end -}}
