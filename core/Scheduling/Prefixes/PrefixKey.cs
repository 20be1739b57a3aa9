using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace R1Serverless.Scheduling.Prefixes;

/// <summary>Names a block by all that it depends on: a SHA-256 over the salt and every token up to its end.</summary>
public readonly record struct PrefixKey(UInt128 High, UInt128 Low)
{
    public const int Bytes = 32;

    /// <summary>What the first block of a salt lies below.</summary>
    public static PrefixKey Root(string salt)
    {
        Span<byte> hash = stackalloc byte[Bytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(salt), hash);
        return Read(hash);
    }

    public static PrefixKey Read(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt128BigEndian(bytes), BinaryPrimitives.ReadUInt128BigEndian(bytes[16..]));

    /// <summary>Of each of a prompt's first blocks.</summary>
    public static PrefixKey[] Of(string salt, ReadOnlySpan<int> prompt, int blocks)
    {
        var keys = new PrefixKey[blocks];
        var key = Root(salt);
        for (var i = 0; i < blocks; i++) keys[i] = key = key.Next(prompt.Slice(i * PrefixTree.BlockTokens, PrefixTree.BlockTokens));
        return keys;
    }

    /// <summary>Of the block behind this one.</summary>
    public PrefixKey Next(ReadOnlySpan<int> tokens)
    {
        Span<byte> text = stackalloc byte[Bytes + (PrefixTree.BlockTokens * sizeof(int))];
        Write(text);
        MemoryMarshal.AsBytes(tokens).CopyTo(text[Bytes..]);
        Span<byte> hash = stackalloc byte[Bytes];
        SHA256.HashData(text, hash);
        return Read(hash);
    }

    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt128BigEndian(bytes, High);
        BinaryPrimitives.WriteUInt128BigEndian(bytes[16..], Low);
    }
}

/// <summary>A block by its name.</summary>
/// <param name="Before">Of the block before it in its prompts; null for the first.</param>
public readonly record struct KeyedBlock(PrefixKey? Before, PrefixKey Key, int Block);
