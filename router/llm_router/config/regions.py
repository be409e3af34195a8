"""Where cloud regions lie: the law that holds there, and the place on the map.

A *region* is one cloud's own name (``eu-west-1``, ``europe-west1``, ``westeurope``); a *jurisdiction* is a country, by
its ISO 3166-1 code; a *family* is a set of jurisdictions. A region's name says little: AWS ``eu-west-2`` is London,
and lies in ``europe`` but not in ``eu``. Coordinates are degrees north and east of the place that the provider names.
"""

from __future__ import annotations

from typing import NamedTuple

from .findings import nearest

_FAMILIES = """
eu      at be bg cy cz de dk ee es fi fr gr hr hu ie it lt lu lv mt nl pl pt ro se si sk
eea     at be bg cy cz de dk ee es fi fr gr hr hu ie it lt lu lv mt nl pl pt ro se si sk is li no
europe  at be bg cy cz de dk ee es fi fr gr hr hu ie it lt lu lv mt nl pl pt ro se si sk is li no ch gb rs tr ua
na      ca mx us
latam   ar br cl co mx pe
apac    au cn hk id in jp kr my nz ph sg th tw vn
mea     ae bh eg il ke kw ma ng om qa sa za
"""
_CENTRES = "eu 50 9  eea 54 10  europe 50 9  na 40 -100  latam -15 -58  apac 20 110  mea 25 45"

_COUNTRIES = """
ae 24.5 54.4  ar -34.6 -58.4  at 48.2 16.4  au -33.9 151.2  be 50.9 4.4  bg 42.7 23.3  bh 26.1 50.6  br -23.5 -46.6
ca 45.4 -75.7  ch 47.4 8.5  cl -33.4 -70.7  cn 39.9 116.4  co 4.7 -74.1  cy 35.2 33.4  cz 50.1 14.4  de 51.2 10.4
dk 55.7 12.6  ee 59.4 24.8  eg 30.0 31.2  es 40.4 -3.7  fi 60.2 24.9  fr 48.9 2.4  gb 51.5 -0.1  gr 38.0 23.7
hk 22.3 114.2  hr 45.8 16.0  hu 47.5 19.0  id -6.2 106.8  ie 53.3 -6.3  il 32.1 34.8  in 20.6 79.0  is 64.1 -21.9
it 41.9 12.5  jp 35.7 139.7  ke -1.3 36.8  kr 37.6 127.0  kw 29.4 48.0  li 47.1 9.5  lt 54.7 25.3  lu 49.6 6.1
lv 57.0 24.1  ma 33.6 -7.6  mt 35.9 14.5  mx 19.4 -99.1  my 3.1 101.7  ng 6.5 3.4  nl 52.4 4.9  no 59.9 10.8
nz -36.8 174.8  om 23.6 58.4  pe -12.0 -77.0  ph 14.6 121.0  pl 52.2 21.0  pt 38.7 -9.1  qa 25.3 51.5  ro 44.4 26.1
rs 44.8 20.5  sa 24.7 46.7  se 59.3 18.1  sg 1.4 103.8  si 46.1 14.5  sk 48.1 17.1  th 13.8 100.5  tr 41.0 29.0
tw 25.0 121.5  ua 50.5 30.5  us 39.8 -98.6  vn 21.0 105.8  za -26.2 28.0
"""

_AWS = """
af-south-1 za -33.9 18.4  ap-east-1 hk 22.3 114.2  ap-east-2 tw 25.0 121.5  ap-northeast-1 jp 35.7 139.7
ap-northeast-2 kr 37.6 127.0  ap-northeast-3 jp 34.7 135.5  ap-south-1 in 19.1 72.9  ap-south-2 in 17.4 78.5
ap-southeast-1 sg 1.4 103.8  ap-southeast-2 au -33.9 151.2  ap-southeast-3 id -6.2 106.8  ap-southeast-4 au -37.8 145.0
ap-southeast-5 my 3.1 101.7  ap-southeast-6 nz -36.8 174.8  ap-southeast-7 th 13.8 100.5  ca-central-1 ca 45.5 -73.6
ca-west-1 ca 51.0 -114.1  cn-north-1 cn 39.9 116.4  cn-northwest-1 cn 37.5 105.2  eu-central-1 de 50.1 8.7
eu-central-2 ch 47.4 8.5  eu-north-1 se 59.3 18.1  eu-south-1 it 45.5 9.2  eu-south-2 es 41.6 -0.9
eu-west-1 ie 53.3 -6.3  eu-west-2 gb 51.5 -0.1  eu-west-3 fr 48.9 2.4  eusc-de-east-1 de 52.4 13.1
il-central-1 il 32.1 34.8  me-central-1 ae 24.5 54.4  me-south-1 bh 26.1 50.6  mx-central-1 mx 20.6 -100.4
sa-east-1 br -23.5 -46.6  sa-west-1 cl -33.4 -70.7  us-east-1 us 38.9 -77.5  us-east-2 us 40.0 -83.0
us-gov-east-1 us 40.0 -83.0  us-gov-west-1 us 45.8 -119.7  us-west-1 us 37.4 -122.0  us-west-2 us 45.8 -119.7
"""

_GCP = """
africa-south1 za -26.2 28.0  asia-east1 tw 24.1 120.5  asia-east2 hk 22.3 114.2  asia-northeast1 jp 35.7 139.7
asia-northeast2 jp 34.7 135.5  asia-northeast3 kr 37.6 127.0  asia-south1 in 19.1 72.9  asia-south2 in 28.6 77.2
asia-southeast1 sg 1.4 103.8  asia-southeast2 id -6.2 106.8  asia-southeast3 th 13.8 100.5
australia-southeast1 au -33.9 151.2  australia-southeast2 au -37.8 145.0  europe-central2 pl 52.2 21.0
europe-north1 fi 60.6 27.2  europe-north2 se 59.3 18.1  europe-southwest1 es 40.4 -3.7  europe-west1 be 50.5 3.8
europe-west2 gb 51.5 -0.1  europe-west3 de 50.1 8.7  europe-west4 nl 53.4 6.8  europe-west6 ch 47.4 8.5
europe-west8 it 45.5 9.2  europe-west9 fr 48.9 2.4  europe-west10 de 52.5 13.4  europe-west12 it 45.1 7.7
me-central1 qa 25.3 51.5  me-central2 sa 26.4 50.1  me-west1 il 32.1 34.8  northamerica-northeast1 ca 45.5 -73.6
northamerica-northeast2 ca 43.7 -79.4  northamerica-south1 mx 20.6 -100.4  southamerica-east1 br -23.5 -46.6
southamerica-west1 cl -33.4 -70.7  us-central1 us 41.3 -95.9  us-east1 us 33.2 -80.0  us-east4 us 39.0 -77.5
us-east5 us 40.0 -83.0  us-south1 us 32.8 -96.8  us-west1 us 45.6 -121.2  us-west2 us 34.1 -118.2
us-west3 us 40.8 -111.9  us-west4 us 36.2 -115.1
"""

_AZURE = """
australiacentral au -35.3 149.1  australiacentral2 au -35.3 149.1  australiaeast au -33.9 151.2
australiasoutheast au -37.8 145.0  austriaeast at 48.2 16.4  belgiumcentral be 50.9 4.4  brazilsouth br -23.5 -46.6
brazilsoutheast br -22.9 -43.2  canadacentral ca 43.7 -79.4  canadaeast ca 46.8 -71.2  centralindia in 18.5 73.9
centralus us 41.6 -93.6  chilecentral cl -33.4 -70.7  chinaeast cn 31.2 121.5  chinaeast2 cn 31.2 121.5
chinaeast3 cn 31.2 121.5  chinanorth cn 39.9 116.4  chinanorth2 cn 39.9 116.4  chinanorth3 cn 39.9 116.4
denmarkeast dk 55.7 12.6  eastasia hk 22.3 114.2  eastus us 37.4 -78.2  eastus2 us 36.7 -78.4
francecentral fr 48.9 2.4  francesouth fr 43.3 5.4  germanynorth de 53.1 8.8  germanywestcentral de 50.1 8.7
indonesiacentral id -6.2 106.8  israelcentral il 31.8 35.0  italynorth it 45.5 9.2  japaneast jp 35.7 139.7
japanwest jp 34.7 135.5  jioindiacentral in 21.1 79.1  jioindiawest in 22.5 70.1  koreacentral kr 37.6 127.0
koreasouth kr 35.2 129.1  malaysiawest my 3.1 101.7  mexicocentral mx 20.6 -100.4  newzealandnorth nz -36.8 174.8
northcentralus us 41.9 -87.6  northeurope ie 53.3 -6.3  norwayeast no 59.9 10.8  norwaywest no 59.0 5.7
polandcentral pl 52.2 21.0  qatarcentral qa 25.3 51.5  southafricanorth za -26.2 28.0  southafricawest za -33.9 18.4
southcentralus us 29.4 -98.5  southeastasia sg 1.4 103.8  southindia in 13.1 80.3  spaincentral es 40.4 -3.7
swedencentral se 60.7 17.1  swedensouth se 55.6 13.0  switzerlandnorth ch 47.4 8.5  switzerlandwest ch 46.2 6.1
taiwannorth tw 25.0 121.5  uaecentral ae 24.5 54.4  uaenorth ae 25.3 55.3  uksouth gb 51.5 -0.1  ukwest gb 51.5 -3.2
usdodcentral us 41.6 -93.6  usdodeast us 37.4 -78.2  usgovarizona us 33.4 -112.1  usgovtexas us 29.4 -98.5
usgovvirginia us 37.4 -78.2  westcentralus us 41.1 -104.8  westeurope nl 52.4 4.9  westindia in 19.1 72.9
westus us 37.8 -122.4  westus2 us 47.2 -119.9  westus3 us 33.4 -112.1
"""


FAMILIES: dict[str, frozenset[str]] = {
    family: frozenset(countries) for family, *countries in (line.split() for line in _FAMILIES.strip().splitlines())
}


class Place(NamedTuple):
    """``jurisdictions`` holds one country for a region and several for a family."""

    jurisdictions: frozenset[str]
    north: float
    east: float


def _places() -> dict[str, Place]:
    places: dict[str, Place] = {}
    words = iter(_CENTRES.split())
    for name, north, east in zip(words, words, words, strict=True):
        places[name] = Place(FAMILIES[name], float(north), float(east))
    words = iter(_COUNTRIES.split())
    for name, north, east in zip(words, words, words, strict=True):
        places[name] = Place(frozenset({name}), float(north), float(east))
    words = iter((_AWS + _GCP + _AZURE).split())
    for name, country, north, east in zip(words, words, words, words, strict=True):
        places[name] = Place(places[country].jurisdictions, float(north), float(east))
    places["uk"] = places["gb"]
    return places


PLACES = _places()
CLOUDS: dict[str, frozenset[str]] = {
    cloud: frozenset(table.split()[::4]) for cloud, table in (("aws", _AWS), ("gcp", _GCP), ("azure", _AZURE))
}
"""The regions of each cloud whose regions are known here."""


def within(inner: str, outer: str) -> bool:
    """Whether all that lies in ``inner`` lies in ``outer``. A name that is not known here lies within itself only."""
    if inner == outer:
        return True
    place, around = PLACES.get(inner), PLACES.get(outer)
    if place is None or around is None or outer in _REGIONS:
        return False
    return place.jurisdictions <= around.jurisdictions


def near_names(name: str, also: frozenset[str] = frozenset()) -> str:
    """For a message about an unknown name: which one was likely meant, else some that are known."""
    near = nearest(name, {*PLACES, *also})
    if near is not None:
        return f'did you mean "{near}"?'
    own = "".join(f", {region}" for region in sorted(also))
    return f"known are {', '.join(FAMILIES)}, country codes such as us, and the regions of AWS, GCP and Azure{own}"


_REGIONS = frozenset().union(*CLOUDS.values())
