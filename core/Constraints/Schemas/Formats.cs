namespace R1Serverless.Constraints.Schemas;

/// <summary>The formats of the standard as regular expressions over the string's whole text.</summary>
internal static class Formats
{
    private const string LeapYear = "(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)";
    private const string Date =
        "(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))|"
        + LeapYear + "-02-29)";

    private const string Time = "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d+)?(?:[Zz]|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)";
    private const string Label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
    private const string Host = Label + "(?:\\." + Label + ")*";
    private const string Octet = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
    private const string Ipv4 = Octet + "(?:\\." + Octet + "){3}";
    private const string Hex = "[0-9A-Fa-f]{1,4}";
    private const string Atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
    private const string Encoded = "%[0-9A-Fa-f]{2}";
    private const string PathCharacter = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|" + Encoded + ")";
    private const string Query = "(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|" + Encoded + ")*";
    private const string Authority = "(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|" + Encoded + ")*@)?(?:\\[(?:" + Ipv6 + ")\\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|"
        + Encoded + ")*)(?::\\d*)?";

    private const string Ending = "(?:\\?" + Query + ")?(?:#" + Query + ")?";
    private const string Segments = "(?:/" + PathCharacter + "*)*";
    private const string Uri = "[A-Za-z][A-Za-z0-9+.-]*:(?://" + Authority + Segments + "|/(?:" + PathCharacter + "+" + Segments + ")?|"
        + PathCharacter + "+" + Segments + "|)" + Ending;

    private const string FirstSegment = "(?:[A-Za-z0-9._~!$&'()*+,;=@-]|" + Encoded + ")+";
    private const string Relative =
        "(?://" + Authority + Segments + "|/(?:" + PathCharacter + "+" + Segments + ")?|" + FirstSegment + Segments + "|)" + Ending;

    private const string Ipv6 = "(?:" + Hex + ":){7}" + Hex
        + "|(?:" + Hex + ":){1,7}:|(?:" + Hex + ":){1,6}:" + Hex + "|(?:" + Hex + ":){1,5}(?::" + Hex + "){1,2}"
        + "|(?:" + Hex + ":){1,4}(?::" + Hex + "){1,3}|(?:" + Hex + ":){1,3}(?::" + Hex + "){1,4}|(?:" + Hex + ":){1,2}(?::" + Hex + "){1,5}"
        + "|" + Hex + ":(?::" + Hex + "){1,6}|:(?::" + Hex + "){1,7}|::|(?:" + Hex + ":){6}" + Ipv4 + "|::(?:[Ff]{4}:)?" + Ipv4;

    private const string Days = "\\d+D";
    private const string Clock = "T(?:\\d+H(?:\\d+M(?:\\d+S)?)?|\\d+M(?:\\d+S)?|\\d+S)";
    private const string Duration =
        "P(?:\\d+W|(?:\\d+Y(?:\\d+M(?:" + Days + ")?)?|\\d+M(?:" + Days + ")?|" + Days + ")(?:" + Clock + ")?|" + Clock + ")";
    private const string Pointer = "(?:/(?:[^~/]|~[01])*)*";

    /// <summary>The expression for a format; null for one that is not supported.</summary>
    public static string? Find(string name) => name switch
    {
        "date" => Date,
        "time" => Time,
        "date-time" => Date + "[Tt]" + Time,
        "duration" => Duration,
        "email" or "idn-email" => Atom + "(?:\\." + Atom + ")*@" + Host,
        "hostname" or "idn-hostname" => Host,
        "ipv4" => Ipv4,
        "ipv6" => Ipv6,
        "uuid" => "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
        "uri" or "iri" => Uri,
        "uri-reference" or "iri-reference" => "(?:" + Uri + "|" + Relative + ")",
        "json-pointer" => Pointer,
        "relative-json-pointer" => "(?:0|[1-9]\\d*)(?:#|" + Pointer + ")",
        _ => null,
    };
}
