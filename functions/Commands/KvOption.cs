using System.CommandLine;
using R1Serverless.Models;

namespace R1Serverless.Commands;

/// <summary>How built variants keep keys and values.</summary>
internal static class KvOption
{
    public static readonly Option<KvFormat> Kv = new("--kv")
    {
        Description = "How the variants keep keys and values: auto (float16 in fp16, else float32) or int8 (a quarter of float32's memory, with scales that a short run of the model finds).",
        HelpName = "auto|int8",
        DefaultValueFactory = _ => KvFormat.Auto,
        CustomParser = result =>
        {
            if (result.Tokens.SingleOrDefault()?.Value is { } name && Enum.GetValues<KvFormat>().Where(format => Name(format) == name).ToArray() is [var format]) return format;
            result.AddError("--kv must be auto or int8.");
            return KvFormat.Auto;
        },
    };

    /// <summary>As command lines write it.</summary>
    public static string Name(KvFormat format) => format switch
    {
        KvFormat.Auto => "auto",
        KvFormat.Int8 => "int8",
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };
}
