{{/* The model's entry in the catalog's form, as JSON. Fails for names that are not there and for files without a sum. */}}
{{- define "llm-server.model" -}}
{{- $model := .Values.model.custom -}}
{{- if not $model -}}
{{- range (.Files.Get "files/catalog.yaml" | fromYaml).models -}}
{{- if eq .name $.Values.model.name }}{{ $model = . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if not $model -}}
{{- fail (printf "model.name: the catalog has no %q: see llm-router models list, or give model.custom" .Values.model.name) -}}
{{- end -}}
{{- if not $model.file.sha256 -}}
{{- fail (printf "model.name: the catalog knows no sha256 of %s: nothing is deployed that cannot be verified" $model.name) -}}
{{- end -}}
{{ $model | toJson }}
{{- end -}}

{{/* Slots and context, from the values or the catalog's hint for this kind of pool, as JSON. */}}
{{- define "llm-server.load" -}}
{{- $model := include "llm-server.model" . | fromJson -}}
{{- $kind := ternary "gpu" "cpu" (ne (include "llm-server.gpus" .) "0") -}}
{{- $hint := dict -}}
{{- range $model.pools }}{{ if eq .pool $kind }}{{ $hint = . }}{{ end }}{{ end -}}
{{- $slots := .Values.model.slots | default $hint.slots -}}
{{- $context := .Values.model.contextPerSlot | default $hint.contextPerSlot -}}
{{- if not (and $slots $context) -}}
{{- fail (printf "model.slots, model.contextPerSlot: the catalog does not suggest %s for %s pools: give both" $model.name $kind) -}}
{{- end -}}
{{- if gt (int64 $context) (int64 $model.contextLength) -}}
{{- fail (printf "model.contextPerSlot: %s was made for %d tokens" $model.name (int64 $model.contextLength)) -}}
{{- end -}}
{{ dict "slots" (int64 $slots) "context" (int64 $context) | toJson }}
{{- end -}}

{{/* Memory in MiB. On a GPU pool weights and cache are in the card's memory; the node's holds what passes through. */}}
{{- define "llm-server.memoryMiB" -}}
{{- $model := include "llm-server.model" . | fromJson -}}
{{- $load := include "llm-server.load" . | fromJson -}}
{{- $mib := 1048576 -}}
{{- $file := div (int64 $model.file.sizeBytes) $mib -}}
{{- $cache := div (mul (int64 $model.kvBytesPerToken) (int64 $load.slots) (int64 $load.context)) $mib -}}
{{- if ne (include "llm-server.gpus" .) "0" }}{{ $cache = 1024 }}{{ end -}}
{{ add $file $cache 512 (int64 .Values.server.cacheRamMiB) }}
{{- end -}}

{{/* Where llama-server finds the weights. */}}
{{- define "llm-server.weights" -}}
{{- $model := include "llm-server.model" . | fromJson -}}
{{- if eq .Values.delivery.source "image" -}}
/models/{{ .Values.delivery.image.file }}
{{- else if eq .Values.delivery.source "claim" -}}
/models/{{ .Values.delivery.claim.file }}
{{- else -}}
/models/{{ $model.file.sha256 | trunc 16 }}.gguf
{{- end -}}
{{- end -}}

{{- define "llm-server.cacheSize" -}}
{{- $model := include "llm-server.model" . | fromJson -}}
{{ .Values.delivery.cache.size | default (printf "%dMi" (add 256 (div (mul (int64 $model.file.sizeBytes) 3) 2097152))) }}
{{- end -}}

{{/* Whether the weights are on the node's own disk. */}}
{{- define "llm-server.onDisk" -}}
{{ and (eq .Values.delivery.source "download") (eq .Values.delivery.cache.mode "none") }}
{{- end -}}
