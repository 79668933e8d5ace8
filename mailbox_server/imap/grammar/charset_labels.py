"""The labels by which a search may name its charset, in lower case.

They are the names and aliases of IANA's registry of character sets (RFC 2978), and those beside
them that mail is labeled with (WHATWG Encoding §4.2, and what old programs wrote).  Python knows
its codecs by many more, as `utf_8_sig` and `u8`, which are names of no charset.
"""

from collections.abc import Mapping
from typing import Final

_ISO_8859: Final[Mapping[int, str]] = {
    1: "iso_8859-1:1987 iso-ir-100 latin1 l1 ibm819 cp819 csisolatin1",
    2: "iso_8859-2:1987 iso-ir-101 latin2 l2 csisolatin2",
    3: "iso_8859-3:1988 iso-ir-109 latin3 l3 csisolatin3",
    4: "iso_8859-4:1988 iso-ir-110 latin4 l4 csisolatin4",
    5: "iso_8859-5:1988 iso-ir-144 cyrillic csisolatincyrillic",
    6: "iso_8859-6:1987 iso-ir-127 ecma-114 asmo-708 arabic csisolatinarabic",
    7: "iso_8859-7:1987 iso-ir-126 elot_928 ecma-118 greek greek8 csisolatingreek",
    8: "iso_8859-8:1988 iso-ir-138 hebrew csisolatinhebrew",
    9: "iso_8859-9:1989 iso-ir-148 latin5 l5 csisolatin5",
    10: "iso_8859-10:1992 iso-ir-157 latin6 l6 csisolatin6",
    11: "",
    13: "",
    14: "iso_8859-14:1998 iso-ir-199 latin8 l8 iso-celtic",
    15: "latin9 l9",
    16: "iso_8859-16:2001 iso-ir-226 latin10 l10",
}
_REGISTERED: Final = """
    us-ascii ansi_x3.4-1968 ansi_x3.4-1986 iso-ir-6 iso_646.irv:1991 iso646-us us ibm367 cp367
    csascii
    utf-7 utf-8 utf-16 utf-16be utf-16le utf-32 utf-32be utf-32le iso-10646-ucs-2
    unicode-1-1-utf-7
    iso-8859-6-e iso-8859-6-i iso-8859-8-e iso-8859-8-i tis-620
    shift_jis ms_kanji csshiftjis windows-31j euc-jp iso-2022-jp csiso2022jp iso-2022-jp-2
    euc-kr iso-2022-kr csiso2022kr ks_c_5601-1987 korean johab
    gb2312 iso-ir-58 chinese csiso58gb231280 gbk cp936 ms936 gb18030 hz-gb-2312
    big5 csbig5 big5-hkscs
    koi8-r cskoi8r koi8-u kz-1048 strk1048-2002 rk1048 ptcp154 csptcp154 pt154 cp154 cyrillic-asian
    hp-roman8 roman8 r8 macintosh
    windows-874 windows-1250 windows-1251 windows-1252 windows-1253 windows-1254 windows-1255
    windows-1256 windows-1257 windows-1258
    ibm037 cp037 csibm037 ebcdic-cp-us ebcdic-cp-ca ebcdic-cp-wt ebcdic-cp-nl
    ibm273 cp273 csibm273 ibm424 cp424 csibm424 ebcdic-cp-he
    ibm500 cp500 csibm500 ebcdic-cp-be ebcdic-cp-ch ibm1026 cp1026 csibm1026
    ibm437 cp437 437 cspc8codepage437 ibm775 cp775 cspc775baltic
    ibm850 cp850 850 cspc850multilingual ibm852 cp852 852 cspcp852 ibm855 cp855 855 csibm855
    ibm857 cp857 857 csibm857 ibm860 cp860 860 csibm860 ibm861 cp861 861 cp-is csibm861
    ibm862 cp862 862 cspc862latinhebrew ibm863 cp863 863 csibm863 ibm864 cp864 csibm864
    ibm865 cp865 865 csibm865 ibm866 cp866 866 csibm866 ibm869 cp869 869 cp-gr csibm869
"""
_IN_MAIL: Final = """
    ascii utf8 unicode-1-1-utf-8 x-unicode-2-0-utf-7 unicode utf8mb4 logical sun_eu_greek
    cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
    x-cp1250 x-cp1251 x-cp1252 cp874 dos-874 x-windows-874 tis620 cp858 koi8 koi8_r koi8-ru
    sjis x-sjis shift-jis ms932 cp932 x-ms-cp932 x-euc x-euc-jp eucjp iso2022-jp
    cp949 ms949 windows-949 x-windows-949 uhc ksc5601 ks_c_5601 euckr x-euc-kr
    euc-cn cn-gb x-gbk hz cp950 x-big5 x-x-big5
    x-mac-roman x-mac-ce x-mac-cyrillic x-mac-greek x-mac-turkish
"""

LABELS: Final = frozenset((
    *(
        form.format(part)
        for part in _ISO_8859
        for form in ("iso-8859-{}", "iso_8859-{}", "iso8859-{}", "iso8859_{}")
    ),
    *" ".join((*_ISO_8859.values(), _REGISTERED, _IN_MAIL)).split(),
))  # fmt: skip
