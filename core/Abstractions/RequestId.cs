using System.Security.Cryptography;

namespace R1Serverless.Abstractions;

/// <summary>Names one request for its whole life: in answers, results and traces.</summary>
public readonly record struct RequestId(string Value)
{
    /// <summary>A new id of 24 random lower-case letters and digits.</summary>
    public static RequestId New() => new(RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz0123456789", 24));

    public override string ToString() => Value;
}
