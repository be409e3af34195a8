{{/* Values with which no pod would become ready, or that would not have the effect that who gave them counts on. */}}
{{- define "router.contradictions" -}}
{{- $config := .Values.config -}}
{{- if $config -}}
{{- if not (has (dig "server" "host" "" $config) (list "0.0.0.0" "::")) }}{{ fail "config.server.host: in a pod it must be 0.0.0.0, else no probe arrives" }}{{ end -}}
{{- if ne (int64 (dig "server" "port" 8080 $config)) 8080 }}{{ fail "config.server.port: the Service leads to 8080: leave it out" }}{{ end -}}
{{- if not .Values.keysSecret }}{{ fail "keysSecret: beyond loopback the router wants API keys: name the Secret that has keys.yaml, and say access.apiKeysFile /etc/llm-router/keys.yaml in config" }}{{ end -}}
{{- $tls := not (empty (dig "server" "tls" dict $config)) -}}
{{- if and .Values.tls.secretName (not $tls) }}{{ fail "tls.secretName: config does not use it: say server.tls with certFile /etc/llm-router-tls/tls.crt and keyFile /etc/llm-router-tls/tls.key there" }}{{ end -}}
{{- if and $tls (not .Values.tls.secretName) }}{{ fail "config.server.tls: name the Secret of its files in tls.secretName" }}{{ end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled (not (has (dig "admin" "metrics" "" $config) (list "0.0.0.0:9464" "[::]:9464"))) }}{{ fail "monitoring.serviceMonitor: nobody listens: put admin.metrics: 0.0.0.0:9464 into config" }}{{ end -}}
{{- else if .Values.keysSecret -}}
{{- fail "keysSecret: it belongs to config; the Secret existingSecrets.config has keys.yaml itself" -}}
{{- end -}}
{{- if ge (add 3 (int64 .Values.drain.endpointSeconds)) (int64 .Values.terminationGracePeriodSeconds) -}}
{{- fail (printf "drain.endpointSeconds: it leaves nothing of terminationGracePeriodSeconds, %d s, for answers under way" (int64 .Values.terminationGracePeriodSeconds)) -}}
{{- end -}}
{{- end -}}
