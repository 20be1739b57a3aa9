using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace R1Serverless.Queues.Batches;

/// <summary>The custom_ids seen so far, as 128 bits each of their SHA-256: a file of 50,000 takes two megabytes whatever their length.</summary>
public sealed class CustomIdSet
{
    private readonly HashSet<UInt128> _seen = [];

    /// <summary>False if it was there already.</summary>
    public bool Add(string customId) => _seen.Add(Hash(Encoding.UTF8.GetBytes(customId)));

    /// <summary>128 bits that stand for some bytes.</summary>
    public static UInt128 Hash(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return BinaryPrimitives.ReadUInt128BigEndian(hash);
    }
}
