using System.CommandLine;
using R1Serverless.Requests;

namespace R1Serverless.Commands;

/// <summary><c>--precision</c>, where one variant is chosen.</summary>
internal static class PrecisionOption
{
    public static Option<string> Create(string description)
    {
        Option<string> option = new("--precision") { Description = description, DefaultValueFactory = _ => PrecisionName.Auto };
        option.AcceptOnlyFromAmong([.. PrecisionName.All, PrecisionName.Auto]);
        return option;
    }
}
