"""The quickstart: an embedded data set (`xlkd:cldr`) and an encoder that needs no Hub (`xlkd:e5-small`)."""
