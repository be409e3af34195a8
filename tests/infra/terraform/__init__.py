"""The AWS stack against an independent implementation: HashiCorp's own provider with moto as its AWS."""
