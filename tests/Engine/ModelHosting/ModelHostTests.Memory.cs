using System.Runtime.InteropServices;
using R1Serverless.Abstractions;

namespace R1Serverless.Tests.Engine.ModelHosting;

/// <summary>What a variant that leaves has allocated in native code.</summary>
public sealed partial class ModelHostTests
{
    [Fact]
    public async Task Memory_that_a_leaving_variant_freed_goes_back_to_the_system()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only glibc keeps freed memory, and is told to give it back.");
        var host = Host(room: 1, Folder("a", Precision.Fp32), Folder("b", Precision.Fp32));
        (await PlaceAsync(host, "a", Precision.Fp32)).Dispose();
        using NativeBlocks blocks = new();
        _runners["a fp32"].OnDispose = blocks.FreeAllButLast;
        Assert.Equal(NativeBlocks.Count, blocks.CountResident());
        (await PlaceAsync(host, "b", Precision.Fp32)).Dispose();
        // Other tests' threads may have been given some of it.
        Assert.InRange(blocks.CountResident(), 1, NativeBlocks.Count / 2);
    }

    /// <summary>Memory like that of many small weights. The last block stays, so that the heap's end, which is given back anyway, is not among what
    /// is freed.</summary>
    private sealed unsafe partial class NativeBlocks : IDisposable
    {
        public const int Count = 400;

        /// <summary>Below what glibc maps on its own.</summary>
        private const int Bytes = 100 << 10;

        private const int Page = 4096;

        private readonly nint[] _blocks = [.. Enumerable.Range(0, Count).Select(_ => Allocate())];

        public void FreeAllButLast()
        {
            foreach (var block in _blocks.AsSpan(..^1)) NativeMemory.Free((void*)block);
        }

        /// <summary>Blocks whose middle has memory.</summary>
        public int CountResident() => _blocks.Count(block =>
        {
            byte state = 0;
            return IsInCore((block + (Bytes / 2)) / Page * Page, Page, &state) == 0 && (state & 1) != 0;
        });

        public void Dispose() => NativeMemory.Free((void*)_blocks[^1]);

        private static nint Allocate()
        {
            var block = NativeMemory.Alloc(Bytes);
            NativeMemory.Fill(block, Bytes, 1);
            return (nint)block;
        }

        [LibraryImport("libc", EntryPoint = "mincore")]
        private static partial int IsInCore(nint start, nuint length, byte* states);
    }
}
