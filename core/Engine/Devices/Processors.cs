using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace R1Serverless.Engine.Devices;

/// <summary>The processor's name and instruction sets.</summary>
/// <param name="Name">The maker's words, or the architecture.</param>
/// <param name="InstructionSets">Those that matrix products can use.</param>
/// <param name="DotProduct">The one that multiplies and adds 8-bit integers in one step; null where there is none.</param>
public sealed record Processors(string Name, IReadOnlyList<string> InstructionSets, string? DotProduct)
{
    // CPUID's leaves and bits, as Intel's and AMD's manuals give them.
    private const int Features = 7, BrandFirst = unchecked((int)0x80000002), BrandMost = unchecked((int)0x80000000);
    private const int Avx512VnniBit = 11, AvxVnniBit = 4, AmxInt8Bit = 25;

    public bool HasDotProduct => DotProduct is not null;

    public static Processors Look()
    {
        List<string> sets = [];
        string? dot = null;
        Add(Avx2.IsSupported, "AVX2");
        Add(Fma.IsSupported, "FMA");
        Add(Avx512F.IsSupported, "AVX-512");
        if (X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= Features)
        {
            var (_, _, ecx, edx) = X86Base.CpuId(Features, 0);
            AddDot(Avx2.IsSupported && IsSet(X86Base.CpuId(Features, 1).Eax, AvxVnniBit), "AVX-VNNI");
            AddDot(Avx512F.IsSupported && IsSet(ecx, Avx512VnniBit), "AVX-512 VNNI");
            Add(Avx512F.IsSupported && IsSet(edx, AmxInt8Bit), "AMX-INT8");
        }

        Add(AdvSimd.IsSupported, "NEON");
        AddDot(Dp.IsSupported, "NEON dot product");
        return new Processors(Brand(), sets, dot);

        void Add(bool has, string name)
        {
            if (has) sets.Add(name);
        }

        void AddDot(bool has, string name)
        {
            Add(has, name);
            if (has) dot = name;
        }
    }

    private static bool IsSet(int register, int bit) => ((register >> bit) & 1) == 1;

    private static string Brand()
    {
        if (!X86Base.IsSupported || X86Base.CpuId(BrandMost, 0).Eax < BrandFirst + 2) return RuntimeInformation.ProcessArchitecture.ToString();
        var text = new StringBuilder();
        for (var leaf = 0; leaf < 3; leaf++)
        {
            var (a, b, c, d) = X86Base.CpuId(BrandFirst + leaf, 0);
            text.Append(Encoding.ASCII.GetString(MemoryMarshal.AsBytes<int>([a, b, c, d])));
        }

        return text.ToString().Trim('\0', ' ');
    }
}
