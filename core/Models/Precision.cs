using System.Text.Json.Serialization;

namespace R1Serverless.Models;

/// <summary>The number format of a variant's weights.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Precision>))]
public enum Precision
{
    Fp32,
    Fp16,
    Int8,
    Int4,
}
