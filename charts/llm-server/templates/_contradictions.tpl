{{/* Values that would be taken without having the effect that who gave them counts on. */}}
{{- define "llm-server.contradictions" -}}
{{- $tls := .Values.gate.tls -}}
{{- if not $tls.enabled -}}
{{- if $tls.clientCertificates }}{{ fail "gate.tls.clientCertificates: nobody would be asked for one, since gate.tls.enabled is false" }}{{ end -}}
{{- if $tls.certificate.enabled }}{{ fail "gate.tls.certificate: the gate would not use it, since gate.tls.enabled is false" }}{{ end -}}
{{- end -}}
{{- $ingress := .Values.ingress -}}
{{- if and $ingress.enabled $ingress.clientCaSecret (ne $ingress.className "nginx") -}}
{{- fail "ingress.clientCaSecret: only nginx is told of it: with another className say it in ingress.annotations, in that controller's terms" -}}
{{- end -}}
{{- $uri := (include "llm-server.model" . | fromJson).file.uri | default "" -}}
{{- if and (eq .Values.delivery.source "download") (not (hasPrefix "https://" $uri)) -}}
{{- fail (printf "delivery.source: download takes https:// alone, and the model is at %s: take image, with delivery.image" $uri) -}}
{{- end -}}
{{- $cache := .Values.delivery.cache -}}
{{- if and $cache.existingClaim (not (and (eq .Values.delivery.source "download") (eq $cache.mode "shared"))) -}}
{{- fail "delivery.cache.existingClaim: it would not be mounted: it is for delivery.source download with cache.mode shared; for a volume that has the model take delivery.source claim" -}}
{{- end -}}
{{- if and .Values.exporter.enabled (or (ne .Values.autoscaling.mode "none") (gt (int64 .Values.replicas) 1)) -}}
{{- fail "exporter.enabled: it knows its own pod only, and there may be several here: use the chart exporters" -}}
{{- end -}}
{{- $drain := add 3 (int64 .Values.drain.endpointSeconds) -}}
{{- if ge $drain (int64 .Values.terminationGracePeriodSeconds) -}}
{{- fail (printf "drain.endpointSeconds: with 3 s for the server to end, it leaves nothing of terminationGracePeriodSeconds, %d s, for answers under way" (int64 .Values.terminationGracePeriodSeconds)) -}}
{{- end -}}
{{- end -}}
